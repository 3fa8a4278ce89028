"""The rules of every study: simulate its cases, measure them, draw its figures.

A study needs no rule of its own: its name in `zeroloss.studies.STUDIES` and its rooms make these.
"""

for study in STUDIES:

    if CONFIG.cases_per_job == 1:

        rule:
            name:
                f"simulate_{study}"
            input:
                code=code_of(f"zeroloss.studies.{study}.simulate"),
            output:
                table=result(study, "{case}.parquet"),
                manifest=result(study, "{case}.manifest.json"),
            log:
                result("logs", study, "{case}.log"),
            threads: 1
            resources:
                mem_mb=memory_for(study),
                runtime=minutes_for(study),
            params:
                study=study,
                spec=spec_of(study),
            shell:
                "zeroloss run {params.study} --case {wildcards.case} --spec {params.spec:q}"
                " --out {output.table} 2> {log}"

    else:
        for number, batch in enumerate(batches_of(study)):

            rule:
                name:
                    f"simulate_{study}_{number}"
                input:
                    code=code_of(f"zeroloss.studies.{study}.simulate"),
                output:
                    tables=[result(study, f"{case}.parquet") for case in batch],
                    manifests=[result(study, f"{case}.manifest.json") for case in batch],
                log:
                    result("logs", study, f"batch-{number}.log"),
                threads: 1
                resources:
                    mem_mb=memory_for(study, *batch),
                    runtime=minutes_for(study, *batch),
                params:
                    study=study,
                    cases=batch,
                    specs=specs_of(study, batch),
                shell:
                    "zeroloss run {params.study} --case {params.cases} --spec {params.specs:q}"
                    " --out {output.tables} 2> {log}"

    rule:
        name:
            f"write_specs_{study}"
        input:
            code=code_of(f"zeroloss.studies.{study}.cases", "ledger.config.configuration"),
            config=ancient(MODES[MODE]),
        output:
            specs=result(study, "specs.json"),
        log:
            result("logs", f"{study}-specs.log"),
        localrule: True
        params:
            study=study,
            overrides=overrides,
            specs=all_specs_of(study),
        shell:
            "zeroloss specs {params.study} --config {input.config:q}"
            " --overrides {params.overrides:q} --out {output.specs} 2> {log}"

    rule:
        name:
            f"measure_{study}"
        input:
            code=code_of(f"zeroloss.studies.{study}.measure", "ledger.record.estimates"),
            specs=result(study, "specs.json"),
            tables=tables_of(study),
            manifests=manifests_of(study),
        output:
            estimates=result(study, "estimates.parquet"),
            manifest=result(study, "estimates.manifest.json"),
        log:
            result("logs", f"{study}-measure.log"),
        threads: 1
        resources:
            mem_mb=memory_for(study, "estimates"),
            runtime=minutes_for(study, "estimates"),
        params:
            study=study,
            tables=subpath(input.specs, parent=True),
        shell:
            "zeroloss measure {params.study} --specs {input.specs} --tables {params.tables}"
            " --out {output.estimates} 2> {log}"

    rule:
        name:
            f"draw_{study}"
        input:
            code=code_of(figure_module(study), "ledger.paper.drawing"),
            module=figure_module(study),
            specs=result(study, "specs.json"),
            tables=tables_of(study),
            estimates=result(study, "estimates.parquet"),
        output:
            pdf=figures_of(study, "pdf"),
            manifests=figures_of(study, "manifest.json"),
            png=[
                report(path, caption=f"../../{caption_of(path)}", category=study)
                for path in figures_of(study, "png")
            ],
        log:
            result("logs", f"{study}-draw.log"),
        threads: 1
        # It reads what the measurement reads, and keeps no manifest of its own.
        resources:
            mem_mb=memory_for(study, "estimates"),
            runtime=minutes_for(study, "estimates"),
        params:
            study=study,
            tables=subpath(input.specs, parent=True),
            out=lambda wildcards, output: os.path.dirname(output.pdf[0]),
            mode=MODE,
        shell:
            "zeroloss draw {params.study} --module {input.module} --tables {params.tables}"
            " --estimates {input.estimates} --specs {input.specs} --mode {params.mode}"
            " --out {params.out} 2> {log}"

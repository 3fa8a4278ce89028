"""The way of every study: run its cases, measure them, judge its claims, draw its figures.

A study needs no rule of its own: its block in the configuration and its rooms make these jobs.
"""

RUN_CASES = command(
    "run {params.study} {params.cases} --config {input.config:q}"
    " --overrides {params.overrides:q} --out {params.folder} 2> {log}"
)


rule simulate:
    """Make the table of one case.

    The parameter `spec` runs it again when it changes, whatever else does in the configuration. The
    job does not wait for specs.json: an input that a rule makes and that is `ancient` hides all other
    reasons to run (Snakemake's issue 4166).
    """
    input:
        code=by_study(RUN.code_of, "jobs"),
        config=ancient(MODES[MODE]),
    output:
        table=result("{study}", "{case}.parquet"),
        manifest=result("{study}", "{case}.manifest.json"),
    log:
        result("logs", "{study}", "{case}.log"),
    threads: 1
    resources:
        mem_mb=asks("mem_mb"),
        runtime=asks("runtime"),
    params:
        study="{study}",
        cases="{case}",
        folder=result("{study}"),
        overrides=always(RUN.overrides),
        spec=lambda wildcards: RUN.spec(wildcards.study, wildcards.case),
    shell:
        RUN_CASES


# Where cases are shorter than the start of a process (cases_per_job), one process runs a batch of
# them. Its tables are named one by one, which no pattern with wildcards does, and the name that
# `use rule ... as` gives cannot be computed: so each batch is a rule, simulate with other outputs. It
# has no wildcards, and Snakemake prefers it for that.
for batch in RUN.batches:

    rule:
        name:
            f"simulate_{batch.study}_{batch.number}"
        input:
            code=RUN.code_of(batch.study, "jobs"),
            config=ancient(MODES[MODE]),
        output:
            tables=[result(batch.study, f"{case}.parquet") for case in batch.cases],
            manifests=[result(batch.study, f"{case}.manifest.json") for case in batch.cases],
        log:
            result("logs", batch.study, f"batch-{batch.number}.log"),
        threads: 1
        resources:
            mem_mb=asks("mem_mb", batch.study, batch.cases),
            runtime=asks("runtime", batch.study, batch.cases),
        params:
            study=batch.study,
            cases=batch.cases,
            folder=result(batch.study),
            overrides=always(RUN.overrides),
            spec=always(RUN.spec(batch.study, *batch.cases)),
        shell:
            RUN_CASES


rule measure:
    """Measure the estimates of a study on the tables of all of its cases."""
    input:
        code=by_study(RUN.code_of, "measure", "ledger.record.estimates"),
        specs=result("{study}", "specs.json"),
        tables=by_study(RUN.tables),
        manifests=by_study(RUN.manifests),
    output:
        estimates=result("{study}", "estimates.parquet"),
        manifest=result("{study}", "estimates.manifest.json"),
    log:
        result("logs", "{study}-measure.log"),
    threads: 1
    resources:
        mem_mb=asks("mem_mb", cases=["estimates"]),
        runtime=asks("runtime", cases=["estimates"]),
    params:
        tables=subpath(input.specs, parent=True),
    shell:
        command(
            "measure {wildcards.study} --specs {input.specs} --tables {params.tables}"
            " --out {output.estimates} 2> {log}"
        )


rule weigh_near_controls:
    """Judge the near control of each claim of a study on its tables: they are measured once more."""
    input:
        code=by_study(RUN.code_of, "measure", "ledger.run.near"),
        claims=by_study(RUN.claims),
        specs=result("{study}", "specs.json"),
        tables=by_study(RUN.tables),
        manifests=by_study(RUN.manifests),
        estimates=result("{study}", "estimates.parquet"),
    output:
        near=result("{study}", "near.json"),
    log:
        result("logs", "{study}-near.log"),
    threads: 1
    resources:
        mem_mb=asks("mem_mb", cases=["estimates"]),
        runtime=asks("runtime", cases=["estimates"]),
    params:
        tables=subpath(input.specs, parent=True),
    shell:
        command(
            "near {wildcards.study} --claims {input.claims} --specs {input.specs} --tables {params.tables}"
            " --estimates {input.estimates} --out {output.near} 2> {log}"
        )


rule draw:
    """Draw one figure of a study."""
    input:
        code=lambda wildcards: RUN.code(RUN.figure_module(wildcards.study), "ledger.paper.drawing"),
        module=by_study(RUN.figure_module),
        specs=result("{study}", "specs.json"),
        tables=by_study(RUN.tables),
        estimates=result("{study}", "estimates.parquet"),
    output:
        pdf=result("figures", "{study}-{figure}.pdf"),
        manifest=result("figures", "{study}-{figure}.manifest.json"),
        png=report(
            result("figures", "{study}-{figure}.png"),
            caption="../report/figure.rst",
            category="{study}",
        ),
    log:
        result("logs", "{study}-draw-{figure}.log"),
    threads: 1
    # It reads what the measurement reads, and keeps no manifest of its own.
    resources:
        mem_mb=asks("mem_mb", cases=["estimates"]),
        runtime=asks("runtime", cases=["estimates"]),
    params:
        tables=subpath(input.specs, parent=True),
        out=subpath(output.pdf, parent=True),
        mode=MODE,
        caption=lambda wildcards: RUN.caption(wildcards.study, wildcards.figure),
    shell:
        command(
            "draw {wildcards.study} --figure {wildcards.figure} --module {input.module}"
            " --tables {params.tables} --estimates {input.estimates} --specs {input.specs}"
            " --mode {params.mode} --out {params.out} 2> {log}"
        )

"""Study `limits`: the finite network approaches the mean-field limit as depth and width grow."""


rule simulate_limits:
    """Run one case: train the networks of its sizes, or solve its limit."""
    input:
        code=code_of("zeroloss.studies.limits.simulate"),
    output:
        table=result("limits", "{case}.parquet"),
        manifest=result("limits", "{case}.manifest.json"),
    log:
        result("logs", "limits", "{case}.log"),
    threads: 1
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        spec=spec_of("limits"),
    shell:
        "zeroloss run limits --case {wildcards.case} --spec {params.spec:q} --out {output.table}"
        " 2> {log}"


rule write_specs_limits:
    """Write what each case was asked to do, for those who read the tables."""
    input:
        code=code_of("zeroloss.studies.limits.cases", "zeroloss.config"),
        config=ancient(CONFIG_FILES),
    output:
        specs=result("limits", "specs.json"),
    log:
        result("logs", "limits-specs.log"),
    params:
        specs=all_specs_of("limits"),
    shell:
        "zeroloss specs limits --config {input.config} --out {output.specs} 2> {log}"


rule measure_limits:
    """Turn the tables of all cases into estimates with intervals."""
    input:
        code=code_of("zeroloss.studies.limits.measure", "zeroloss.estimates"),
        specs=rules.write_specs_limits.output.specs,
        tables=tables_of("limits"),
    output:
        estimates=result("limits", "estimates.parquet"),
        manifest=result("limits", "estimates.manifest.json"),
    log:
        result("logs", "limits-measure.log"),
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        tables=subpath(input.specs, parent=True),
    shell:
        "zeroloss measure limits --specs {input.specs} --tables {params.tables}"
        " --out {output.estimates} 2> {log}"


rule draw_limits:
    """Draw the figures of the study."""
    input:
        code=code_of("figures/limits.py", "zeroloss.drawing"),
        specs=rules.write_specs_limits.output.specs,
        tables=tables_of("limits"),
        estimates=rules.measure_limits.output.estimates,
    output:
        pdf=figures_of("limits", "pdf"),
        png=[
            report(path, caption=f"../../{caption_of(path)}", category="limits")
            for path in figures_of("limits", "png")
        ],
    log:
        result("logs", "limits-draw.log"),
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        tables=subpath(input.specs, parent=True),
        out=lambda wildcards, output: os.path.dirname(output.pdf[0]),
        mode=MODE,
    shell:
        "zeroloss draw limits --module figures/limits.py --tables {params.tables}"
        " --estimates {input.estimates} --specs {input.specs} --mode {params.mode}"
        " --out {params.out} 2> {log}"

"""What a run was made with, written down beside its results."""


rule write_configuration:
    """Write all settings of the run, checked: with this file alone it can be run again."""
    input:
        code=RUN.code("ledger.config.configuration"),
        config=ancient(MODES[MODE]),
    output:
        configuration=result(CONFIGURATION),
    log:
        result("logs", "configuration.log"),
    localrule: True
    params:
        overrides=always(RUN.overrides),
        effective=always(RUN.config.model_dump_json()),
    shell:
        command(
            "configuration --config {input.config:q} --overrides {params.overrides:q}"
            " --out {output.configuration} 2> {log}"
        )


rule write_specs:
    """Write the specs of all cases of a study, which its measuring and its figures read."""
    input:
        code=by_study(RUN.code_of, "plan", "ledger.config.configuration"),
        config=ancient(MODES[MODE]),
    output:
        specs=result("{study}", "specs.json"),
    log:
        result("logs", "{study}-specs.log"),
    localrule: True
    params:
        overrides=always(RUN.overrides),
        spec=by_study(RUN.spec),
    shell:
        command(
            "specs {wildcards.study} --config {input.config:q}"
            " --overrides {params.overrides:q} --out {output.specs} 2> {log}"
        )

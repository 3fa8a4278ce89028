"""What a run was made with, written down beside its results."""


rule write_configuration:
    """Write all settings of the run, checked: with this file alone it can be run again."""
    input:
        code=code_of("ledger.config.configuration"),
        config=ancient(MODES[MODE]),
    output:
        configuration=result(CONFIGURATION),
    log:
        result("logs", "configuration.log"),
    localrule: True
    params:
        overrides=overrides,
        effective=lambda wildcards: CONFIG.model_dump_json(),
    shell:
        "zeroloss configuration --config {input.config:q} --overrides {params.overrides:q}"
        " --out {output.configuration} 2> {log}"

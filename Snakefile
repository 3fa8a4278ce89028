"""zeroloss: from the configuration to the paper.

    snakemake -c2                            the published run: results/full/
    snakemake -c2 --config mode=quick        the same rules on small sizes: results/quick/
    snakemake -c2 --config study=linear      one study: its tables, verdicts and figures
    snakemake -c2 --configfile mine.yaml     the published run, overlaid with mine.yaml
    snakemake -c2 --config seed=3 'limits={commute: {replicates: 2400}}'    or with these settings
    snakemake -c2 figures | tables | verdicts | paper

Results under other settings than those that ship lie in results/with-DIGEST/, as the run says.
Run `pip install -e .` once in the environment that holds Snakemake.
"""


# Every rule runs in the environment of Snakemake itself; Containerfile makes one from this image.
containerized: "docker://python:3.11-bookworm"


include: "workflow/rules/common.smk"
include: "workflow/rules/configuration.smk"
include: "workflow/rules/studies.smk"
include: "workflow/rules/paper.smk"


rule all:
    """Everything; without TeX, or for one study, everything but the PDF."""
    default_target: True
    input:
        rules.figures.input,
        rules.tables.input,
        rules.verdicts.input,
        rules.paper.input if HAVE_TEX else [],

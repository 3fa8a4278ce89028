"""From the estimates of all studies to verdicts, generated LaTeX and the PDF.

All of it takes seconds, and TeX is seldom on the nodes of a cluster: these run where Snakemake does.
"""

ESTIMATES = expand(result("{study}", "estimates.parquet"), study=STUDIES)
MANIFESTS = expand(result("{study}", "estimates.manifest.json"), study=STUDIES)
SPEC_FILES = expand(result("{study}", "specs.json"), study=STUDIES)
CLAIMS = ["paper/claims.yaml", *[os.path.relpath(at / "claims.yaml") for at in FOLDERS.values()]]
SECTIONS = [os.path.relpath(folder / "section.tex") for folder in FOLDERS.values()]
BENCH = Path("benchmarks/results")
FIGURE_MANIFESTS = [path for study in STUDIES for path in figures_of(study, "manifest.json")]
GENERATED = expand(
    result("tex", "{name}.tex"),
    name=["mode", "numbers", "claims", "sizes", "provenance", "extensions"],
)


rule judge_claims:
    """Compare every claim with what was measured."""
    input:
        code=code_of("ledger.record.verdicts"),
        claims=CLAIMS,
        estimates=ESTIMATES,
        manifests=MANIFESTS,
    output:
        verdicts=result("verdicts.json"),
    log:
        result("logs", "judge.log"),
    localrule: True
    params:
        mode=MODE,
    shell:
        "zeroloss judge --claims {input.claims} --estimates {input.estimates}"
        " --mode {params.mode} --out {output.verdicts} 2> {log}"


rule typeset_numbers:
    """Write every number and table of the paper as LaTeX, with its provenance."""
    input:
        code=code_of("ledger.paper.typeset"),
        claims=CLAIMS,
        verdicts=rules.judge_claims.output.verdicts,
        estimates=ESTIMATES,
        manifests=MANIFESTS,
        specs=SPEC_FILES,
        figures=FIGURE_MANIFESTS,
        sections=SECTIONS,
    output:
        GENERATED,
    log:
        result("logs", "typeset.log"),
    localrule: True
    params:
        mode=MODE,
        manifests=subpath(input.verdicts, parent=True),
        out=lambda wildcards, output: os.path.dirname(output[0]),
    shell:
        "zeroloss typeset --verdicts {input.verdicts} --estimates {input.estimates}"
        " --claims {input.claims} --specs {input.specs} --manifests-dir {params.manifests}"
        " --figures {input.figures} --sections {input.sections}"
        " --mode {params.mode} --out {params.out} 2> {log}"


rule build_paper:
    """Typeset the paper."""
    input:
        scripts=expand("workflow/scripts/{name}.sh", name=["build-paper", "find-tex"]),
        main="paper/main.tex",
        parts=sorted(map(str, [*Path("paper").glob("*.sty"), *Path("paper").glob("*/*.tex")])),
        references="paper/references.bib",
        generated=GENERATED,
        figures=[path for study in STUDIES for path in figures_of(study, "pdf")],
        bench=sorted(map(str, [*BENCH.glob("bench*.tex"), *BENCH.glob("bench*.pdf")])),
    output:
        pdf=report(result("paper.pdf"), caption="../report/paper.rst", category="paper"),
    log:
        result("logs", "paper.log"),
    localrule: True
    params:
        results=subpath(output.pdf, parent=True),
    shell:
        "bash workflow/scripts/build-paper.sh {params.results} {output.pdf} > {log} 2>&1"


rule figures:
    """Target: all figures."""
    input:
        [path for study in STUDIES for kind in ["pdf", "png"] for path in figures_of(study, kind)],


rule tables:
    """Target: all tables: the results themselves and what the paper prints of them."""
    input:
        rules.write_configuration.output,
        [path for study in STUDIES for path in tables_of(study) + manifests_of(study)],
        ESTIMATES,
        MANIFESTS,
        GENERATED,


rule verdicts:
    """Target: the verdict of every claim."""
    input:
        rules.write_configuration.output,
        rules.judge_claims.output.verdicts,


rule paper:
    """Target: the PDF."""
    input:
        rules.build_paper.output.pdf,

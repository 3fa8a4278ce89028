"""From the estimates of all studies to verdicts, generated LaTeX and the PDF.

All of it takes seconds, and TeX is seldom on the nodes of a cluster: these run where Snakemake does.
"""

import subprocess

CLAIMS = [RUN.claims(study) for study in RUN.config.studies]
SPECS = expand(result("{study}", "specs.json"), study=RUN.config.studies)
ESTIMATES = expand(result("{study}", "estimates.parquet"), study=RUN.config.studies)
NEAR = expand(result("{study}", "near.json"), study=RUN.config.studies)
MANIFESTS = expand(result("{study}", "estimates.manifest.json"), study=RUN.config.studies)
FIGURES = {
    kind: [path for study in RUN.config.studies for path in RUN.figures(study, kind)]
    for kind in ["pdf", "manifest.json"]
}
GENERATED = expand(
    result("tex", "{name}.tex"),
    name=["mode", "numbers", "claims", "glance", "sizes", "extensions"],
)
# The macros of the statements are defined beside the paper, or in it.
PREAMBLE = next(path for path in ("paper/preamble.tex", "paper/main.tex") if Path(path).exists())
BENCH = Path("benchmarks/results")
FIND_TEX = ["bash", f"{SCRIPTS}/find-tex.sh", "check"]
HAVE_TEX = not STUDY and subprocess.run(FIND_TEX, stderr=subprocess.DEVNULL).returncode == 0


rule judge_claims:
    """Compare every claim with what was measured."""
    input:
        code=RUN.code("ledger.record.verdicts"),
        claims=CLAIMS,
        estimates=ESTIMATES,
        manifests=MANIFESTS,
        specs=SPECS,
        near=NEAR,
    output:
        verdicts=result("verdicts.json"),
    log:
        result("logs", "judge.log"),
    localrule: True
    params:
        mode=MODE,
    shell:
        command(
            "judge --claims {input.claims} --estimates {input.estimates} --specs {input.specs}"
            " --near {input.near} --mode {params.mode} --out {output.verdicts} 2> {log}"
        )


use rule judge_claims as judge_study with:
    input:
        code=RUN.code("ledger.record.verdicts"),
        claims=by_study(RUN.claims),
        estimates=result("{study}", "estimates.parquet"),
        manifests=result("{study}", "estimates.manifest.json"),
        specs=result("{study}", "specs.json"),
        near=result("{study}", "near.json"),
    output:
        verdicts=result("{study}", "verdicts.json"),
    log:
        result("logs", "{study}-judge.log"),


rule typeset_numbers:
    """Write every number and table of the paper as LaTeX, and the page that says where each comes from."""
    input:
        code=RUN.code("ledger.paper.typeset"),
        claims=CLAIMS,
        verdicts=rules.judge_claims.output.verdicts,
        estimates=ESTIMATES,
        manifests=MANIFESTS,
        specs=SPECS,
        figures=FIGURES["manifest.json"],
        sections=RUN.sections,
        preamble=PREAMBLE,
    output:
        GENERATED,
        result("evidence.html"),
    log:
        result("logs", "typeset.log"),
    localrule: True
    params:
        mode=MODE,
        manifests=subpath(input.verdicts, parent=True),
        out=subpath(output[0], parent=True),
    shell:
        command(
            "typeset --verdicts {input.verdicts} --estimates {input.estimates}"
            " --claims {input.claims} --specs {input.specs} --manifests-dir {params.manifests}"
            " --figures {input.figures} --sections {input.sections} --preamble {input.preamble}"
            " --mode {params.mode} --out {params.out} 2> {log}"
        )


rule build_paper:
    """Typeset the paper."""
    input:
        scripts=expand(f"{SCRIPTS}/{{name}}.sh", name=["build-paper", "find-tex"]),
        main="paper/main.tex",
        parts=sorted(
            map(
                str,
                [
                    path
                    for kind in ("*.sty", "*.tex", "*/*.tex")
                    for path in Path("paper").glob(kind)
                ],
            )
        ),
        references=sorted(map(str, Path("paper").glob("*.bib"))),
        generated=GENERATED,
        figures=FIGURES["pdf"],
        bench=sorted(map(str, [*BENCH.glob("bench*.tex"), *BENCH.glob("bench*.pdf")])),
    output:
        pdf=report(result("paper.pdf"), caption="../report/paper.rst", category="paper"),
        supplement=[result("supplement.pdf")] if Path("paper/supplement.tex").exists() else [],
    log:
        result("logs", "paper.log"),
    localrule: True
    params:
        results=subpath(output.pdf, parent=True),
    shell:
        "bash {input.scripts[0]} {params.results} {output.pdf} {output.supplement} > {log} 2>&1"


rule figures:
    """Target: all figures."""
    input:
        [RUN.figures(study, "pdf", "png", "manifest.json") for study in STUDIES],


rule tables:
    """Target: all tables: the results themselves and what the paper prints of them."""
    input:
        rules.write_configuration.output,
        [RUN.tables(study) + RUN.manifests(study) for study in STUDIES],
        expand(
            result("{study}", "{file}"),
            study=STUDIES,
            file=["specs.json", "estimates.parquet", "estimates.manifest.json"],
        ),
        [] if STUDY else rules.typeset_numbers.output,


rule verdicts:
    """Target: the verdict of every claim."""
    input:
        rules.write_configuration.output,
        result(STUDY, "verdicts.json"),


rule paper:
    """Target: the PDF."""
    input:
        rules.build_paper.output.pdf,

"""The `genqueue` command."""

import typer

from cli import (
    batch,
    catalog,
    demo,
    doctor,
    estimates,
    exits,
    jobs,
    keys,
    logs,
    models,
    outputs,
    providers,
    receivers,
    submissions,
    up,
)

app = typer.Typer(
    name="genqueue",
    help="Submit a long generation, come back later, collect it.",
    epilog=exits.EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command(rich_help_panel="Jobs")(jobs.watch)
app.command(rich_help_panel="Jobs")(jobs.get)
app.command("list", rich_help_panel="Jobs")(jobs.list_)
app.command(rich_help_panel="Jobs")(jobs.cancel)
app.command(rich_help_panel="Jobs")(jobs.rerun)
app.command(rich_help_panel="Jobs")(outputs.download)
app.command(rich_help_panel="Jobs")(models.models)
app.command(rich_help_panel="Jobs")(estimates.estimate)
app.add_typer(submissions.app, name="submit", rich_help_panel="Jobs")
app.add_typer(batch.app, rich_help_panel="Jobs")
app.add_typer(keys.app, name="keys", rich_help_panel="Account")
app.add_typer(receivers.app, name="receivers", rich_help_panel="Account")
app.command(rich_help_panel="Stack")(up.up)
app.command(rich_help_panel="Stack")(demo.demo)
app.command(rich_help_panel="Stack")(doctor.doctor)
app.command(rich_help_panel="Stack")(logs.logs)
app.add_typer(catalog.app, name="catalog", rich_help_panel="Stack")
app.add_typer(providers.app, name="providers", rich_help_panel="Stack")


@app.callback()
def main() -> None:
    """Submit a long generation, come back later, collect it."""


if __name__ == "__main__":
    app()

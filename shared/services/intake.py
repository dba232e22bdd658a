"""Refusing a batch by the first bytes of its file: what can be known at once is said at once."""

from functools import partial

from shared import errors
from shared.domain import batch_rows, models, recipes, sheets
from shared.outbound import targets
from shared.services import inputs
from shared.sheets import heads

_PARAMS = {"unknown_column": "template", "template_without_column": "template", "no_model": "model"}


def check(
    recipe: recipes.Recipe,
    name: str,
    head: bytes,
    options: sheets.Options,
    catalog: models.Catalog,
    usable: frozenset[str],
    guard: targets.Guard,
) -> None:
    """Raise InvalidRequestError for a file that cannot be read, columns that do not fit, and parameters the model
    does not take. A workbook, and a header longer than the head, are looked at when the file is read.
    """
    try:
        layout = heads.layout_of(name, head, options, recipes.columns_named(recipe))
        if layout is None:
            return
        checker = batch_rows.Checker(recipe, layout, catalog, usable, partial(inputs.check, guard))
        if recipe.template is not None:
            checker.request(["x"] * len(layout.columns))
    except sheets.SheetError as error:
        details = {"code": error.code, "line": error.line}
        raise errors.InvalidRequestError(
            error.message, param=_PARAMS.get(error.code, "file"), details=details
        ) from None
    except recipes.RowFaultError as error:
        details = {"code": error.fault.code}
        raise errors.InvalidRequestError(error.fault.message, param="parameters", details=details) from None

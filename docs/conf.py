"""Settings of the documentation. ``make docs`` builds it; warnings are errors, and so are cells that fail."""

import hashlib
import sys
from importlib import metadata
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS / "extensions"))


def hash_of_the_library() -> str:
    """A hash of all that the lecture's code runs or reads, besides other packages."""
    root = DOCS.parent
    content = hashlib.sha256()
    for path in sorted([*(root / "src").rglob("*.py"), *(root / "results").glob("*.json")]):
        content.update(path.read_bytes())
    return content.hexdigest()[:16]


project = "chainrule"
release = metadata.version("chainrule")
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "myst_nb",
    "command_help",
    "docstrings",
    "formulas",
]
exclude_patterns = ["extensions"]
html_theme = "furo"
html_title = "chainrule"
html_static_path = ["static"]
html_css_files = ["lecture.css"]
html_math_renderer = "mathml"

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3

smartquotes = False  # they would change the formulas of docstrings

# A name in single backticks is a link where there is such an object, and else code.
default_role = "py:obj"
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True  # attributes in the list of their class
autodoc_default_options = {"members": True, "member-order": "bysource", "show-inheritance": True}
autodoc_inherit_docstrings = False  # a method that only implements the contract is described there
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True

# The lecture's chapters run when their code or the library's has changed; other builds reuse what they gave.
nb_execution_mode = "cache"
nb_execution_cache_path = str(DOCS.parent / "build" / "lecture" / hash_of_the_library())
nb_execution_timeout = 300  # seconds a cell, where other processes share the machine, too
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_output_stderr = "remove-warn"  # a chapter prints no warnings; a warning of the build is an error
nb_merge_streams = True
nb_code_prompt_show = "The answer"  # only answers of exercises are hidden
nb_code_prompt_hide = "Hide the answer"

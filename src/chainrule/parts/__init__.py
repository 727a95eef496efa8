"""Work by parts: each part of the data becomes one file, in this process or on a cluster.

A part is small and depends on nothing but the run, the data and its number. So the files are the same whoever makes
them, in whatever sequence; a part whose worker was killed is made again; and what is there already is kept.
"""

from chainrule.parts.cut import files_of
from chainrule.parts.engines import ENGINES, engine_of
from chainrule.parts.job import Job
from chainrule.parts.work import Work, conduct

__all__ = ["ENGINES", "Job", "Work", "conduct", "engine_of", "files_of"]

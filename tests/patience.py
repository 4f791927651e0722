"""How long tests wait for what must come: many times what it takes anywhere, since only a failure waits to the end.

A machine that builds a server's image stands still for seconds while its disk catches up; that is no test's failure.
"""

PATIENCE = 6

"""Files of others become graphs: nothing that stands in a file is ever executed."""

"""The table everyone knows from ``model.summary()``: rows, columns, totals, in many renderings."""

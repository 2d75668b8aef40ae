"""The page: one offline HTML file in which a run can be opened, searched and coloured."""

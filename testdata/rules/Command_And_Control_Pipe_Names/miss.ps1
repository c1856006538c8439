$p = "\\.\pipe\status_of_printer"

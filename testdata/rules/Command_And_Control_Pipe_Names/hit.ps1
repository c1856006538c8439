$p = "\\.\pipe\msagent_01"

rundll32 C:\windows\system32\comsvcs.dll, MiniDump 0 a.txt full

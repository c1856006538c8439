$a = "privilege::debug"
$b = "dpapi::cache"

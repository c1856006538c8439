bitsadmin /list /allusers

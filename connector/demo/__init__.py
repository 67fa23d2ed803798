"""An invented week at Northwind Outfitters, told to the service over real HTTP."""

// Enhances the page: everything is readable without it.

//! What this machine allows. Facts only: the words are for whoever reads them to a person.

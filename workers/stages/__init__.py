"""The stages of the line, one module or folder each: ``run(inputs, params, out, report)``, folder to folder."""

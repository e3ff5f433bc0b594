// In place of declarations: JSON has no `undefined`, which Effect 4 leaves out.

const lengthArguments = "{ readonly river: string; readonly unit?: \"km\" | \"mi\" }"

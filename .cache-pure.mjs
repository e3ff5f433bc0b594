import ts from "typescript"
/** text with PURE annotations at calls evaluated at top level of variable declarations and heritage */
export const annotate = (file, text) => {
  const sf = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true)
  const at = []
  const isFn = (n) => ts.isFunctionLike(n)
  const visit = (n) => {
    if (isFn(n)) return
    if (ts.isCallExpression(n) || ts.isNewExpression(n)) {
      let p = n
      at.push(n.getStart(sf))
    }
    if (ts.isClassLike(n)) { n.heritageClauses?.forEach(h => ts.forEachChild(h, visit)); n.members.forEach(m=> { if (ts.isPropertyDeclaration(m) && m.initializer && m.modifiers?.some(x=>x.kind===ts.SyntaxKind.StaticKeyword)) visit(m.initializer) }); return }
    ts.forEachChild(n, visit)
  }
  for (const s of sf.statements) {
    if (ts.isVariableStatement(s)) s.declarationList.declarations.forEach((d) => d.initializer && visit(d.initializer))
    if (ts.isClassDeclaration(s)) visit(s)
  }
  let out = text
  for (const p of [...new Set(at)].sort((a, b) => b - a)) out = out.slice(0, p) + "/*#__PURE__*/ " + out.slice(p)
  return out
}

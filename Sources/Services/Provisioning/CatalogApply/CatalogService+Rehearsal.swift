import Entitlements
package import MeteringModel
package import MeteringPorts

extension CatalogService {
    /// What would be in force if a document were applied: its definitions, and those it does not
    /// name. Changes nothing.
    /// - Returns: without customers; plans that the document has are not numbered.
    /// - Throws: every problem with its place in the text, as `apply` does.
    package func rehearse(_ yaml: String) async throws(CatalogProblems) -> Catalog {
        let document = try language.read(yaml)
        try requireContent(document.catalog)
        let rehearsal: CatalogRehearsal
        do throws(ControlProblem) {
            rehearsal = try CatalogRehearsal(
                document.catalog, await engine.scratch(Self.readContext), engine.zone)
        } catch {
            throw Self.problems(error)
        }
        try rehearsal.requireSense(document.problems)
        return rehearsal.definitions
    }
}

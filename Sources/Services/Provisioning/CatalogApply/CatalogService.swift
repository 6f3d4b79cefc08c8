import Crypto
import Entitlements
import MeteringModel
package import MeteringPorts

/// The catalog as code: brings the records level with a document, and writes a document from them.
package final class CatalogService: CatalogAdministration {
    /// Setting that holds the document applied last.
    static let setting = "catalog_document"

    let engine: ControlEngine
    let language: CatalogLanguage

    package init(engine: ControlEngine, language: CatalogLanguage) {
        self.engine = engine
        self.language = language
    }

    /// Applies a document: what it names is made or changed, what it does not name stays, unless it
    /// is pruned. Takes effect now, in one step.
    /// - Throws: every problem with its place in the text; without a place when it lies in what the
    ///   document would do to the records that are there. Nothing was changed then.
    package func apply(
        _ yaml: String, _ options: CatalogApplyOptions, _ context: CommandContext
    ) async throws(CatalogProblems) -> CatalogChange {
        let document = try language.read(yaml)
        try requireContent(document.catalog)
        let rehearsal: CatalogRehearsal
        do throws(ControlProblem) {
            rehearsal = try CatalogRehearsal(
                document.catalog, await engine.scratch(context), engine.zone)
        } catch {
            throw Self.problems(error)
        }
        try rehearsal.requireSense(document.problems)
        var context = context
        if context.source == "api" || context.source == "cli" { context.source = "catalog" }
        context.isDryRun = context.isDryRun || options.isDryRun
        if let wanted = context.effectiveAt?.wholeSeconds,
            wanted != engine.clock.now().wholeSeconds
        {
            throw Self.problems(
                .invalid(
                    "definitions_change_at_once",
                    "a catalog is applied at once; date changes of customers one by one, and those "
                        + "of plans with a migration (POST /v1/plans/KEY/migrate with effective_at)",
                    field: "effective_at"))
        }
        context.effectiveAt = nil
        let digest = Self.digest("\(options.prunes) \(options.migrates)\n\(yaml)")
        let catalog = document.catalog
        do throws(ControlProblem) {
            let isDryRun = context.isDryRun
            let answer = try await engine.run(context, digest: digest) {
                (draft) throws(ControlProblem) in
                var application = CatalogApplication(catalog, options, isDryRun: isDryRun)
                return try application.carryOut(on: &draft)
            }
            let change = CatalogChange(answer.body, isDryRun: isDryRun)
            if !isDryRun { try await remember(yaml, change.revision) }
            return change
        } catch {
            throw Self.problems(error)
        }
    }

    /// The document that was applied last, if the records are still as it left them; else one that
    /// is written from the records. Applying either changes nothing.
    package func export(
        includesAll: Bool
    ) async throws(CatalogProblems) -> (revision: Int64, yaml: String) {
        do throws(ControlProblem) {
            let draft = await engine.scratch(Self.readContext)
            let yaml = language.render(
                try CatalogExport(draft).catalog(includesAll: includesAll))
            if !includesAll, let applied = try applied(),
                applied["rendered"]?.text == Self.digest(yaml), let text = applied["text"]?.text
            {
                return (draft.base, text)
            }
            return (draft.base, yaml)
        } catch {
            throw Self.problems(error)
        }
    }

    // MARK: the document applied last

    /// Keeps the text, so that its comments and order come back; but only of a document that names
    /// everything that documents made.
    private func remember(_ yaml: String, _ revision: Int64) async throws(ControlProblem) {
        let catalog = try CatalogExport(await engine.scratch(Self.readContext))
            .catalog(includesAll: false)
        let rendered = language.render(catalog)
        let again = try? language.read(yaml)
        let isWhole = again.map {
            CatalogExport.names(in: catalog) == CatalogExport.names(in: $0.catalog)
        }
        let value: JSONValue = .members([
            "revision": .integer(revision), "text": .string(yaml),
            "rendered": isWhole == true ? .string(Self.digest(rendered)) : nil,
        ])
        do throws(ControlStoreError) {
            try engine.store.setSetting(Self.setting, value)
        } catch {
            throw .store(error)
        }
    }

    private func applied() throws(ControlProblem) -> JSONValue? {
        do throws(ControlStoreError) { return try engine.store.setting(Self.setting) } catch {
            throw .store(error)
        }
    }

    // MARK: parts

    static let readContext = CommandContext(principal: .local, requestID: "")

    func requireContent(_ catalog: Catalog) throws(CatalogProblems) {
        if catalog == Catalog() {
            throw CatalogProblems([
                .init(
                    line: 1, column: 1,
                    message: "the document is empty; a catalog names meters, features, plans, …")
            ])
        }
    }

    static func problems(_ problem: ControlProblem) -> CatalogProblems {
        CatalogProblems([.init(line: 0, column: 0, message: problem.detail)])
    }

    private static func digest(_ text: String) -> String {
        SHA256.hash(data: Array(text.utf8)).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }
}

extension CatalogChange {
    /// From what the engine answered.
    fileprivate init(_ body: JSONValue, isDryRun: Bool) {
        let lines = (body["lines"]?.elements ?? []).compactMap(\.text)
        self.init(
            revision: body["revision"]?.integer ?? 0, lines: lines,
            isApplied: !isDryRun && body["changes"]?.integer != 0)
    }
}

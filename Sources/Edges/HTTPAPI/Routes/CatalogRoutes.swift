internal import MeteringPorts
internal import NIOCore

/// The catalog document: what is in force, and putting another in its place.
struct CatalogRoutes: Sendable {
    let catalog: any CatalogAdministration

    init(_ services: HTTPServices) { catalog = services.catalog }

    func current(_ request: Request) async throws(Problem) -> Answer {
        guard let document = catalog.currentDocument() else {
            throw Problem(status: 404, code: "not_found", detail: "no catalog has been applied yet")
        }
        let head = AnswerHead(
            status: 200, contentType: "application/yaml",
            headers: [("ETag", "\"\(document.revision)\"")])
        return Answer(head: head, body: Array(document.yaml.utf8))
    }

    func apply(_ request: Request) async throws(Problem) -> Answer {
        let isDryRun = try Query(request.query).flag("dry_run")
        guard UTF8Check.isValid(request.body.readableBytesSpan) else {
            throw Problem(status: 400, code: "malformed", detail: "the catalog is not UTF-8")
        }
        guard request.body.readableBytes > 0 else {
            throw Problem(status: 400, code: "malformed", detail: "the body must hold a catalog")
        }
        let yaml = String(buffer: request.body)
        let change: CatalogChange
        do throws(CatalogProblems) {
            change = try await catalog.apply(yaml, dryRun: isDryRun)
        } catch {
            throw Problem(error)
        }
        return .json { writer in
            writer.object { writer in
                writer.name("\"revision\":")
                writer.value(change.revision)
                writer.name("\"applied\":")
                writer.value(change.isApplied)
                writer.name("\"changes\":")
                writer.array(change.lines) { $0.value($1) }
            }
        }
    }
}

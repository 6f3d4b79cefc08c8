internal import MeteringPorts
internal import NIOCore

/// The catalog document: what is in force, and putting another in its place.
struct CatalogRoutes: Sendable {
    let catalog: any CatalogAdministration

    init(_ services: HTTPServices) { catalog = services.catalog }

    /// `?all=true` adds the customers that no document manages.
    func current(_ request: Request) async throws(Problem) -> Answer {
        let includesAll = try Query(request.query).flag("all")
        do throws(CatalogProblems) {
            let document = try await catalog.export(includesAll: includesAll)
            let head = AnswerHead(
                status: 200, contentType: "application/yaml",
                headers: [("ETag", "\"\(document.revision)\"")])
            return Answer(head: head, body: Array(document.yaml.utf8))
        } catch {
            throw Problem(error)
        }
    }

    func apply(_ request: Request) async throws(Problem) -> Answer {
        let query = try Query(request.query)
        let options = CatalogApplyOptions(
            isDryRun: try query.flag("dry_run"), prunes: try query.flag("prune"),
            migrates: try query.flag("migrate"))
        let context = try ControlRequest.context(request, query)
        guard UTF8Check.isValid(request.body.readableBytesSpan) else {
            throw Problem(status: 400, code: "malformed", detail: "the catalog is not UTF-8")
        }
        guard request.body.readableBytes > 0 else {
            throw Problem(status: 400, code: "malformed", detail: "the body must hold a catalog")
        }
        let change: CatalogChange
        do throws(CatalogProblems) {
            change = try await catalog.apply(String(buffer: request.body), options, context)
        } catch {
            throw Problem(error)
        }
        return .json { writer in
            writer.object { writer in
                writer.member("\"revision\":", change.revision)
                writer.member("\"applied\":", change.isApplied)
                writer.member("\"changes\":", change.lines)
            }
        }
    }
}

import ArgumentParser
import Foundation

struct ApplyCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply",
        abstract: "Apply a catalog: products, meters, features, plans, add-ons, customers.",
        discussion: """
            EXAMPLES
              tollgate apply -f catalog.yaml --dry-run    show what would change
              tollgate apply -f catalog.yaml              change it
              tollgate apply -f catalog.yaml --migrate    and move subscriptions to new versions

            What the document does not name stays; --prune removes what an earlier document made
            and this one leaves out, and asks for the number (--expected-count) that a dry run says.
            A changed plan is a new version; subscriptions stay on theirs until they are migrated.

            Errors are printed as FILE:LINE:COLUMN: what is wrong, and nothing is applied. The
            request that is printed at the end can be taken back: tollgate undo REQUEST.

            \(CommandExit.help)
            """)

    @OptionGroup var connection: ConnectionOptions

    @Option(name: .shortAndLong, help: "The catalog (YAML); - reads stdin.")
    var file: String

    @Flag(help: "Say what would change, and change nothing.")
    var dryRun = false

    @Flag(help: "Remove what an earlier document made and this one does not name.")
    var prune = false

    @Flag(help: "Move subscriptions on earlier versions of the plans to the latest.")
    var migrate = false

    @Option(help: "How many records --prune is expected to remove.")
    var expectedCount: Int?

    @Option(help: ArgumentHelp("Why; the audit log keeps it.", valueName: "text"))
    var reason: String?

    private var query: [(name: String, value: String)] {
        var query: [(name: String, value: String)] = []
        if dryRun { query.append(("dry_run", "true")) }
        if prune { query.append(("prune", "true")) }
        if migrate { query.append(("migrate", "true")) }
        if let reason { query.append(("reason", reason)) }
        if let expectedCount { query.append(("expected_count", String(expectedCount))) }
        return query
    }

    func perform(_ client: APIClient) async throws(ClientFailure) {
        var request = APIRequest(
            .post, ["v1", "catalog"], query: query, body: try readInput(file),
            contentType: "application/yaml", timeoutSeconds: 300)
        // The answer does not name the request; the server takes the name that it is given.
        let requestID = "cli-" + UUID().uuidString.lowercased()
        request.headers = [("X-Request-Id", requestID)]
        let reply = try await client.exchange(request)
        guard (200..<300).contains(reply.status) else { throw CatalogFailure.make(file, reply) }
        if connection.json { return Terminal.result(json: reply.body) }
        let answer = try client.decoded(CatalogAnswer.self, from: reply.body)
        for change in answer.changes { Terminal.result(TextTable.printable(change)) }
        let revision = "revision \(answer.revision)"
        if answer.changes.isEmpty {
            Terminal.message("no changes (\(revision))")
        } else if answer.applied {
            Terminal.message("applied as \(revision), request \(requestID)")
        } else {
            Terminal.message("dry run: nothing applied (still \(revision))")
        }
    }
}

/// What is wrong with a catalog, as FILE:LINE:COLUMN: message.
enum CatalogFailure {
    static func make(_ file: String, _ reply: APIReply) -> ClientFailure {
        let problem = Problem(reply)
        if problem.errors.isEmpty { return problem.failure }
        let name = file == "-" ? "stdin" : file
        let lines = problem.errors.map { error in
            // What no line says, such as a customer that is still in use, has no place.
            let line = error.line ?? 0
            let place = line > 0 ? ":\(line):\(error.column ?? 1)" : ""
            return "\(name)\(place): \(error.message)"
        }
        return ClientFailure(.badInput, lines.joined(separator: "\n"))
    }
}

/// The whole of a file, or of stdin for `-`.
func readInput(_ path: String) throws(ClientFailure) -> Data {
    do {
        if path == "-" { return try FileHandle.standardInput.readToEnd() ?? Data() }
        // Read to the end rather than by size: pipes and devices have none.
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        return try file.readToEnd() ?? Data()
    } catch {
        throw ClientFailure(.badInput, "cannot read \(path): \(error.localizedDescription)")
    }
}

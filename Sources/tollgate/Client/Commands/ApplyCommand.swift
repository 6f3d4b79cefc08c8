import ArgumentParser
import Foundation

struct ApplyCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply",
        abstract: "Apply a catalog: meters, features, plans, customers.",
        discussion: """
            EXAMPLES
              tollgate apply -f catalog.yaml --dry-run    show what would change
              tollgate apply -f catalog.yaml              change it

            Errors are printed as FILE:LINE:COLUMN: what is wrong, and nothing is applied.

            \(CommandExit.help)
            """)

    @OptionGroup var connection: ConnectionOptions

    @Option(name: .shortAndLong, help: "The catalog (YAML); - reads stdin.")
    var file: String

    @Flag(help: "Say what would change, and change nothing.")
    var dryRun = false

    func perform(_ client: APIClient) async throws(ClientFailure) {
        let request = APIRequest(
            .post, ["v1", "catalog"], query: dryRun ? [("dry_run", "true")] : [],
            body: try readInput(file), contentType: "application/yaml")
        let reply = try await client.exchange(request)
        guard (200..<300).contains(reply.status) else { throw failure(reply) }
        if connection.json { return Terminal.result(json: reply.body) }
        let answer = try client.decoded(CatalogAnswer.self, from: reply.body)
        for change in answer.changes { Terminal.result(TextTable.printable(change)) }
        let revision = "revision \(answer.revision)"
        if answer.changes.isEmpty {
            Terminal.message("no changes (\(revision))")
        } else if answer.applied {
            Terminal.message("applied as \(revision)")
        } else {
            Terminal.message("dry run: nothing applied (still \(revision))")
        }
    }

    private func failure(_ reply: APIReply) -> ClientFailure {
        let problem = Problem(reply)
        if problem.errors.isEmpty { return problem.failure }
        let name = file == "-" ? "stdin" : file
        let lines = problem.errors.map { "\(name):\($0.line):\($0.column): \($0.message)" }
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

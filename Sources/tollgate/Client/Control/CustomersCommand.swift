import ArgumentParser
import Foundation
import MeteringModel

struct CustomersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "customers", abstract: "Import many customers, and take an import back.",
        subcommands: [Import.self, Status.self, Rollback.self])

    struct Import: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make or change many customers: one JSON document a line.",
            discussion: """
                All lines are checked before any is applied. The import goes on where it stopped \
                when the same file is sent again under the same --id.

                EXAMPLES
                  tollgate customers import customers.ndjson --dry-run
                  tollgate customers import customers.ndjson --id spring --expected-count 100000

                \(CommandExit.help)
                """)

        @Argument(help: "The file (NDJSON); - reads stdin.") var file: String
        @Option(help: "Names the import, to resume it or to roll it back.") var id: String?
        @Option(help: "How many lines the file has.") var expectedCount: Int?
        @Flag(help: "Say what would change, and change nothing.") var dryRun = false
        @Option(help: ArgumentHelp("Longest wait for the answer.", valueName: "seconds"))
        var timeout = 600
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            let body = try readInput(file)
            let id = id ?? "import-" + UUID().uuidString
            var query = [("id", id)]
            if dryRun { query.append(("dry_run", "true")) }
            if let expectedCount { query.append(("expected_count", String(expectedCount))) }
            let request = APIRequest(
                .post, ["v1", "customers:import"], query: query, body: body,
                contentType: "application/x-ndjson", timeoutSeconds: Double(timeout))
            if !dryRun { Terminal.message("import \(id)") }
            let progress = dryRun ? nil : Task { await Self.follow(client, id) }
            defer { progress?.cancel() }
            let reply = try await client.exchange(request)
            progress?.cancel()
            if Terminal.showsProgress { Terminal.transient("") }
            guard (200..<300).contains(reply.status) else {
                throw failure(reply, client)
            }
            try show(reply.body, client, connection)
            if !connection.json, !dryRun {
                Terminal.message("to take it back: tollgate customers rollback \(id)")
            }
        }

        private func failure(_ reply: APIReply, _ client: APIClient) -> ClientFailure {
            guard let document = try? JSONParser.parse(Array(reply.body)),
                let errors = document["errors"]?.elements, !errors.isEmpty
            else { return Problem(reply).failure }
            let name = file == "-" ? "stdin" : file
            let lines = errors.map { error in
                let field = error["field"]?.text.map { "\($0): " } ?? ""
                let line = error["line"]?.digits ?? "?"
                return TextTable.printable(
                    "\(name):\(line): \(field)\(error["message"]?.text ?? "")")
            }
            let detail = document["detail"]?.text ?? ""
            return ClientFailure(.badInput, (lines + [detail]).joined(separator: "\n"))
        }

        /// Shows how far the server is, on a terminal.
        private static func follow(_ client: APIClient, _ id: String) async {
            guard Terminal.showsProgress else { return }
            while !Task.isCancelled {
                try? await Task.sleep(for: .milliseconds(500))
                guard let data = try? await client.answer(APIRequest(.get, ["v1", "imports", id])),
                    let document = try? client.document(data), !Task.isCancelled,
                    let done = document["done"]?.integer, let total = document["total"]?.integer
                else { continue }
                Terminal.transient(
                    "\(TextTable.grouped(String(done))) of \(TextTable.grouped(String(total)))"
                        + " customers")
            }
        }
    }

    struct Status: ClientCommand {
        static let configuration = CommandConfiguration(abstract: "How far an import is.")
        @Argument(help: "The import's id.") var id: String
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            try show(
                try await client.answer(APIRequest(.get, ["v1", "imports", id])), client,
                connection)
        }
    }

    struct Rollback: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Undo everything that an import changed.")
        @Argument(help: "The import's id.") var id: String
        @OptionGroup var command: CommandOptions
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            let request = command.request(["v1", "imports", id, "rollback"], timeoutSeconds: 600)
            try show(try await client.answer(request), client, connection)
        }
    }
}

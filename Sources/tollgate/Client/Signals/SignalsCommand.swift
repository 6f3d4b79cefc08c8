import ArgumentParser
import Foundation
import MeteringModel

struct SignalsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "signals",
        abstract:
            "Who outgrows a plan, who is leaving, what is unusual; and what is done about it.",
        subcommands: [List.self, Act.Ack.self, Act.Snooze.self, Act.Assign.self, Act.Note.self]
            + [Refresh.self],
        defaultSubcommand: List.self)

    struct List: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "List signals, largest score first.",
            discussion: """
                KINDS
                  near_limit · projected_exhaustion · upsell · churn_risk · anomaly · leakage

                EXAMPLES
                  tollgate signals                                    what is open
                  tollgate signals --kind upsell --owner kim --all
                  tollgate signals --state all --customer acme --json

                \(CommandExit.help)
                """)

        @Option(help: "Only signals of this kind.") var kind: String?
        @Option(help: "Only this customer's.") var customer: String?
        @Option(help: "Who was assigned, or else looks after the customer.") var owner: String?
        @Option(help: "Only customers on this plan.") var plan: String?
        @Option(help: "open, or all: with what is acknowledged and snoozed.") var state = "open"
        @Option(help: "At least low, medium, high or critical.") var minSeverity = "low"
        @Option(help: "Rows of a page (1 … 1000).") var limit = 50
        @Option(help: "Go on after the page whose answer named this cursor.") var cursor: String?
        @Flag(help: "Every page, not only the first.") var all = false
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            var query = [("state", state), ("min_severity", minSeverity)]
            let narrowing = [
                ("kind", kind), ("customer", customer), ("owner", owner), ("plan", plan),
            ]
            for (name, value) in narrowing { if let value { query.append((name, value)) } }
            let pages = PageReader(
                path: ["v1", "signals"], query: query, limit: limit, cursor: cursor,
                readsAll: all)
            var table = TextTable([
                ("SCORE", .right), ("SEVERITY", .left), ("KIND", .left), ("OWNER", .left),
                ("WHY", .left), ("ID", .left),
            ])
            var isComplete = true
            let next = try await pages.read(client) { (data) throws(ClientFailure) in
                if connection.json { Terminal.result(json: data) }
                let page = try client.document(data)
                isComplete = page["is_complete"]?.flag ?? true
                for item in page["items"]?.elements ?? [] { table.add(Self.cells(item)) }
                return page["next"]?.text
            }
            if !isComplete {
                Terminal.message("the server is still looking through its customers")
            }
            if connection.json { return }
            table.show(orSay: "nothing to tell", next: next)
        }

        private static func cells(_ item: Document) -> [String] {
            func text(_ name: String) -> String { item[name]?.text ?? "" }
            let state = text("state")
            return [
                item["score"]?.digits ?? "", text("severity"), text("kind"), text("owner"),
                (state == "open" ? "" : "(\(state)) ") + text("reason"), text("id"),
            ]
        }
    }

    struct Refresh: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Compute one customer's signals now, or begin a sweep over all.")
        @Argument(help: "The customer; everybody when absent.") var customer: String?
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            let data = try await client.answer(
                APIRequest(
                    .post, ["v1", "signals", "refresh"],
                    query: customer.map { [("customer", $0)] } ?? [], timeoutSeconds: 300))
            if connection.json { return Terminal.result(json: data) }
            let answer = try client.document(data)
            Terminal.message(
                "\(answer["signals"]?.digits ?? "0") signals; "
                    + "\(answer["waiting"]?.digits ?? "0") customers wait to be looked at")
        }
    }

    /// What is done about one signal.
    enum Act {
        struct Ack: ClientCommand {
            static let configuration = CommandConfiguration(
                abstract: "Take a signal off the list until it gets worse.")
            @Argument(help: "The signal's id.") var id: String
            @OptionGroup var command: CommandOptions
            @OptionGroup var connection: ConnectionOptions

            func perform(_ client: APIClient) async throws(ClientFailure) {
                try await act("acknowledge", id, nil, command, client, connection)
            }
        }

        struct Snooze: ClientCommand {
            static let configuration = CommandConfiguration(
                abstract: "Take a signal off the list for a while.",
                discussion: """
                    EXAMPLES
                      tollgate signals snooze ID --until 2026-12-01
                      tollgate signals snooze ID --until next_threshold
                    """)
            @Argument(help: "The signal's id.") var id: String
            @Option(help: "A time (RFC 3339, or a date in UTC), or next_threshold.")
            var until: String
            @OptionGroup var command: CommandOptions
            @OptionGroup var connection: ConnectionOptions

            func perform(_ client: APIClient) async throws(ClientFailure) {
                let body = Document.object(["until": .string(InstantText.rfc3339(until))])
                try await act("snooze", id, body, command, client, connection)
            }
        }

        struct Assign: ClientCommand {
            static let configuration = CommandConfiguration(
                abstract: "Make a signal somebody's; without --owner nobody's.")
            @Argument(help: "The signal's id.") var id: String
            @Option(help: "Who looks after it.") var owner: String?
            @OptionGroup var command: CommandOptions
            @OptionGroup var connection: ConnectionOptions

            func perform(_ client: APIClient) async throws(ClientFailure) {
                let body = Document.object(["owner": .optional(owner)])
                try await act("assign", id, body, command, client, connection)
            }
        }

        struct Note: ClientCommand {
            static let configuration = CommandConfiguration(
                abstract: "Write down what was done or heard.")
            @Argument(help: "The signal's id.") var id: String
            @Argument(help: "The note.") var text: String
            @OptionGroup var command: CommandOptions
            @OptionGroup var connection: ConnectionOptions

            func perform(_ client: APIClient) async throws(ClientFailure) {
                let body = Document.object(["text": .string(text)])
                try await act("note", id, body, command, client, connection)
            }
        }

        private static func act(
            _ action: String, _ id: String, _ body: Document?, _ command: CommandOptions,
            _ client: APIClient, _ connection: ConnectionOptions
        ) async throws(ClientFailure) {
            var request = command.request(["v1", "signals", id, action])
            request.body = body.map { Data($0.canonicalBytes) }
            let data = try await client.answer(request)
            if connection.json { return Terminal.result(json: data) }
            let answer = try client.document(data)
            let owner = answer["owner"]?.text.map { ", \($0)'s" } ?? ""
            Terminal.message(
                TextTable.printable("\(id) is \(answer["state"]?.text ?? "open")\(owner)"))
        }
    }
}

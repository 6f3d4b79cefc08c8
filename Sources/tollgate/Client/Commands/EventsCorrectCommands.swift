import ArgumentParser
import Foundation
import MeteringModel

/// Which event, and why: the same for all corrections.
struct CorrectionOptions: ParsableArguments {
    @Argument(help: "The event's source.")
    var source: String

    @Argument(help: "The event's id.")
    var id: String

    @Option(help: ArgumentHelp("Why; the audit log keeps it.", valueName: "text"))
    var reason: String

    @Flag(help: "Say what would change, and change nothing.")
    var dryRun = false

    @OptionGroup var connection: ConnectionOptions

    func perform(
        _ client: APIClient, _ action: String, members: [String: Document] = [:]
    ) async throws(ClientFailure) {
        var body = members
        body["source"] = .string(source)
        body["id"] = .string(id)
        body["reason"] = .string(reason)
        // The same correction again changes nothing, so it needs no key of its own.
        let data = try await client.answer(
            APIRequest(
                .post, ["v1", "events", action], query: dryRun ? [("dry_run", "true")] : [],
                body: Data(Document.object(body).canonicalBytes), timeoutSeconds: 60))
        if connection.json { return Terminal.result(json: data) }
        Terminal.result(try Self.table([client.document(data)]).text)
    }

    static func table(_ corrections: [Document]) -> TextTable {
        var table = TextTable([
            ("RECORDED", .left), ("ACTION", .left), ("STATE", .left), ("SOURCE", .left),
            ("EVENT", .left), ("CUSTOMER", .left), ("METERS", .left), ("BY", .left),
            ("REASON", .left),
        ])
        for correction in corrections {
            func text(_ name: String) -> String { correction[name]?.text ?? "" }
            let meters = (correction["meters"]?.elements ?? []).map { row in
                "\(row["meter"]?.text ?? "") \(row["removed"]?.digits ?? "-") → "
                    + "\(row["added"]?.digits ?? "-")"
            }
            table.add([
                text("recorded_at"), text("action"), text("state"), text("source"),
                text("event_id"), text("customer"), meters.joined(separator: ", "),
                text("actor"), text("reason"),
            ])
        }
        return table
    }
}

struct EventsVoidCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "void",
        abstract: "Take one counted event out of usage.",
        discussion: """
            EXAMPLE
              tollgate events void /api 4711 --reason "sent by a test"

            The event stays in the log, and its id stays taken. `tollgate events restore` takes the
            correction back.

            \(CommandExit.help)
            """)

    @OptionGroup var event: CorrectionOptions

    var connection: ConnectionOptions { event.connection }

    func perform(_ client: APIClient) async throws(ClientFailure) {
        try await event.perform(client, "void")
    }
}

struct EventsRestoreCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Take a correction back: the event counts as it was sent.",
        discussion: """
            EXAMPLE
              tollgate events restore /api 4711 --reason "it was no test after all"

            \(CommandExit.help)
            """)

    @OptionGroup var event: CorrectionOptions

    var connection: ConnectionOptions { event.connection }

    func perform(_ client: APIClient) async throws(ClientFailure) {
        try await event.perform(client, "restore")
    }
}

struct EventsAmendCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "amend",
        abstract: "Count one event with other data, time or subject.",
        discussion: """
            EXAMPLE
              tollgate events amend /api 4711 --data total_tokens=812 --reason "counted twice"

            --data NAME=VALUE takes a JSON number, true or false as such, null to leave a member
            out, and anything else as text. Members that are not named stay as they are.

            \(CommandExit.help)
            """)

    @OptionGroup var event: CorrectionOptions

    @Option(help: "A member of the data, NAME=VALUE; may be repeated.")
    var data: [String] = []

    @Option(help: "When it happened (RFC 3339).")
    var time: String?

    @Option(help: "Subject (API key, user, device).")
    var subject: String?

    var connection: ConnectionOptions { event.connection }

    func validate() throws {
        if data.isEmpty, time == nil, subject == nil {
            throw ValidationError("Say what changes: --data, --time or --subject.")
        }
        for pair in data where !pair.contains("=") || pair.hasPrefix("=") {
            throw ValidationError("--data: \(pair) is not NAME=VALUE.")
        }
    }

    func perform(_ client: APIClient) async throws(ClientFailure) {
        var members: [String: Document] = [:]
        if !data.isEmpty {
            var values: [String: Document] = [:]
            for pair in data {
                let parts = pair.split(
                    separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                values[String(parts[0])] = Self.value(String(parts[1]))
            }
            members["data"] = .object(values)
        }
        if let time { members["time"] = .string(InstantText.rfc3339(time)) }
        if let subject { members["subject"] = .string(subject) }
        try await event.perform(client, "amend", members: members)
    }

    /// Scalars of JSON as such, anything else as text.
    static func value(_ text: String) -> Document {
        guard let value = try? JSONParser.parse(text) else { return .string(text) }
        switch value {
        case .null, .bool, .number, .string: return value
        case .array, .object: return .string(text)
        }
    }
}

struct EventsCorrectionsCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "corrections",
        abstract: "List corrections of single events, oldest first.",
        discussion: """
            METERS shows what the event added before, and adds since.

            EXAMPLE
              tollgate events corrections --customer acme

            \(CommandExit.help)
            """)

    @Option(help: "Only this customer's.")
    var customer: String?

    @OptionGroup var page: PageOptions
    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: APIClient) async throws(ClientFailure) {
        let pages = page.reader(
            ["v1", "events", "corrections"], customer.map { [("customer", $0)] } ?? [])
        var items: [Document] = []
        let next = try await pages.readItems(client, connection) { items.append($0) }
        if connection.json { return }
        CorrectionOptions.table(items).show(orSay: "no event was corrected", next: next)
    }
}

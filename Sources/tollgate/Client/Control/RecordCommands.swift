import ArgumentParser
import Foundation
import MeteringModel

struct GetCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "get",
        abstract: "Show records of the control plane: customers, subscriptions, plans, …",
        discussion: """
            EXAMPLES
              tollgate get customers                     a page of customers
              tollgate get subscriptions --customer acme
              tollgate get subscription acme:default --at 2026-03-01

            \(CommandExit.help)
            """)

    @Argument(help: "products, meters, features, plans, add-ons, customers, subscriptions, …")
    var kind: RecordName

    @Argument(help: "One record; a list without it.")
    var id: String?

    @Option(help: "Only this customer's.")
    var customer: String?

    @Option(
        help: ArgumentHelp(
            "The record as it is (was, will be) then: RFC 3339, or a date (midnight UTC).",
            valueName: "time"))
    var at: String?

    @OptionGroup var page: PageOptions
    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: APIClient) async throws(ClientFailure) {
        var query: [(name: String, value: String)] = []
        if let at { query.append(("at", InstantText.rfc3339(at))) }
        if let id {
            let data = try await client.answer(
                APIRequest(.get, ["v1", kind.rawValue, id], query: query))
            if connection.json { return Terminal.result(json: data) }
            return Terminal.result(TextTable.printable(try client.document(data)))
        }
        if let customer { query.append(("customer", customer)) }
        let pages = page.reader(["v1", kind.rawValue], query)
        let next = try await pages.readItems(client, connection) {
            Terminal.result(TextTable.printable($0.canonicalText))
        }
        if let next, !connection.json { Terminal.message("more: --cursor \(next), or --all") }
    }
}

struct PutCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "put",
        abstract: "Make a record of the control plane, or replace all of it.",
        discussion: """
            EXAMPLES
              tollgate put customer acme --json-text '{"time_zone":"Europe/Berlin"}'
              tollgate put subscription acme:default --file subscription.json

            \(CommandExit.help)
            """)

    @OptionGroup var record: RecordArguments
    @OptionGroup var input: DocumentOptions
    @OptionGroup var change: ChangeOptions
    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: APIClient) async throws(ClientFailure) {
        let body = try input.read()
        let data = try await client.change(.put, record.path, change, body: body)
        try show(data, client, connection)
    }
}

struct ChangeCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "change",
        abstract: "Change members of a record; null removes one (RFC 7396).",
        discussion: """
            EXAMPLES
              tollgate change subscription acme:default --json-text '{"plan":"pro"}'
              tollgate change subscription acme:default --json-text '{"seats":{"seats":60}}' \\
                --effective-at 2026-12-01 --reason "order 4711"

            \(CommandExit.help)
            """)

    @OptionGroup var record: RecordArguments
    @OptionGroup var input: DocumentOptions
    @OptionGroup var change: ChangeOptions
    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: APIClient) async throws(ClientFailure) {
        let body = try input.read()
        let data = try await client.change(.patch, record.path, change, body: body)
        try show(data, client, connection)
    }
}

struct DeleteCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "End a record: a subscription, an override, a suspension, …",
        discussion: """
            EXAMPLE
              tollgate delete suspension su_2f6k --reason "paid"

            \(CommandExit.help)
            """)

    @OptionGroup var record: RecordArguments
    @OptionGroup var change: ChangeOptions
    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: APIClient) async throws(ClientFailure) {
        let data = try await client.change(.delete, record.path, change)
        try show(data, client, connection)
    }
}

/// The record that a command is about.
struct RecordArguments: ParsableArguments {
    @Argument(help: "products, meters, features, plans, add-ons, customers, subscriptions, …")
    var kind: RecordName

    @Argument(help: "The record's id.")
    var id: String

    var path: [String] { ["v1", kind.rawValue, id] }
}

/// The document to send.
struct DocumentOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "File with the JSON document; - reads stdin.")
    var file: String?

    @Option(help: ArgumentHelp("The JSON document itself.", valueName: "json"))
    var jsonText: String?

    func read() throws(ClientFailure) -> Document {
        try DocumentInput.read(file: file, text: jsonText)
    }
}

/// Prints the answer to a change.
func show(
    _ data: Data, _ client: APIClient, _ connection: ConnectionOptions
) throws(ClientFailure) {
    if connection.json || data.isEmpty {
        if !data.isEmpty { Terminal.result(json: data) }
        return
    }
    Terminal.result(TextTable.printable(try client.document(data)))
}

extension TextTable {
    /// A document in lines, free of control sequences.
    static func printable(_ document: Document) -> String {
        document.indentedText.split(separator: "\n", omittingEmptySubsequences: false)
            .map { printable(String($0)) }.joined(separator: "\n")
    }
}

import ArgumentParser
import Foundation
import MeteringModel

/// Which product of whom, and why: the same for taking it away and giving it back.
struct ProductOptions: ParsableArguments {
    @Argument(help: "The customer.") var customer: String
    @Option(help: "The product.") var product: String
    @OptionGroup var change: ChangeOptions
    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: APIClient, _ action: String) async throws(ClientFailure) {
        let body = Document.object(["account_id": .string(customer), "product": .string(product)])
        let data = try await client.change(
            .post, ["v1", "entitlements", action], change, body: body)
        try show(data, client, connection)
    }
}

struct RevokeCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Take a product away from a customer; repeats have one effect.",
        discussion: """
            EXAMPLE
              tollgate revoke acme --product default --reason invoice_overdue

            \(CommandExit.help)
            """)

    @OptionGroup var options: ProductOptions

    var connection: ConnectionOptions { options.connection }

    func perform(_ client: APIClient) async throws(ClientFailure) {
        try await options.perform(client, "revoke")
    }
}

struct ReinstateCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "reinstate",
        abstract: "Give a revoked product back.",
        discussion: """
            EXAMPLE
              tollgate reinstate acme --product default --reason "invoice paid"

            \(CommandExit.help)
            """)

    @OptionGroup var options: ProductOptions

    var connection: ConnectionOptions { options.connection }

    func perform(_ client: APIClient) async throws(ClientFailure) {
        try await options.perform(client, "reinstate")
    }
}

struct UndoCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "undo",
        abstract: "Take everything back that one request changed.",
        discussion: """
            The request's id is in the answer to the change and in the audit log.

            EXAMPLE
              tollgate undo 01JD… --reason "wrong customer"

            \(CommandExit.help)
            """)

    @Argument(help: "The request's id.") var request: String

    @OptionGroup var command: CommandOptions

    @Flag(help: "Say what would change, and change nothing.")
    var dryRun = false

    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: APIClient) async throws(ClientFailure) {
        var request = command.request(["v1", "changes", self.request, "undo"])
        if dryRun { request.query.append(("dry_run", "true")) }
        try show(try await client.answer(request), client, connection)
    }
}

struct MigrateCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Move subscriptions to another version of their plan.",
        discussion: """
            A subscription keeps the version that it was made with until it is migrated.

            EXAMPLES
              tollgate migrate pro --dry-run              how many would move
              tollgate migrate pro --expected-count 812   move them

            \(CommandExit.help)
            """)

    @Argument(help: "The plan.") var plan: String
    @Option(help: "Version to move to; the latest without it.") var to: Int?
    @Option(help: "Only subscriptions on this version.") var from: Int?
    @Option(name: .customLong("customer"), help: "Only this customer's; repeatable.")
    var customers: [String] = []
    @Option(help: "Only customers of this owner.") var owner: String?
    @Option(help: "How many are expected to move, from the dry run.") var expectedCount: Int?
    @OptionGroup var change: ChangeOptions
    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: APIClient) async throws(ClientFailure) {
        let filter = Document.members([
            "customers": customers.isEmpty ? nil : .array(customers.map(Document.string)),
            "owner": owner.map(Document.string),
        ])
        let body = Document.members([
            "to": to.map { .integer($0) }, "from": from.map { .integer($0) },
            "filter": filter == .object([:]) ? nil : filter,
        ])
        let data = try await client.change(
            .post, ["v1", "plans", plan, "migrate"], change,
            query: expectedCount.map { [("expected_count", String($0))] } ?? [], body: body,
            timeoutSeconds: 600)
        try show(data, client, connection)
    }
}

struct SeatsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "seats", abstract: "Assign, release and list seats.",
        subcommands: [List.self, Assign.self, Release.self])

    struct List: ClientCommand {
        static let configuration = CommandConfiguration(abstract: "Who has a seat.")
        @Argument(help: "The customer.") var customer: String
        @Argument(help: "The seat feature.") var feature: String
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            let pages = PageReader(
                path: ["v1", "customers", customer, "seats", feature], query: [], limit: 1_000,
                cursor: nil, readsAll: true)
            _ = try await pages.readItems(client, connection) {
                Terminal.result(TextTable.printable($0.canonicalText))
            }
        }
    }

    struct Assign: ClientCommand {
        static let configuration = CommandConfiguration(abstract: "Give a holder a seat.")
        @Argument(help: "The customer.") var customer: String
        @Argument(help: "The seat feature.") var feature: String
        @Argument(help: "Who gets it.") var holder: String
        @OptionGroup var change: ChangeOptions
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            let data = try await client.change(
                .post, ["v1", "customers", customer, "seats", feature], change,
                body: .object(["holder": .string(holder)]))
            try show(data, client, connection)
        }
    }

    struct Release: ClientCommand {
        static let configuration = CommandConfiguration(abstract: "Take a holder's seat back.")
        @Argument(help: "The customer.") var customer: String
        @Argument(help: "The seat feature.") var feature: String
        @Argument(help: "Whose.") var holder: String
        @OptionGroup var change: ChangeOptions
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            let data = try await client.change(
                .delete, ["v1", "customers", customer, "seats", feature, holder], change)
            try show(data, client, connection)
        }
    }
}

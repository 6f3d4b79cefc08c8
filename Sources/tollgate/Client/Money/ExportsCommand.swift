import ArgumentParser
import Foundation
import MeteringModel

struct ExportsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exports",
        abstract: "Statements as files, and the usage that Stripe is told.",
        subcommands: [ExportStatements.self, StripeEvents.self])
}

extension ExportsCommand {
    struct StripeEvents: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "stripe", abstract: "What Stripe was told, and what it was not.",
            subcommands: [List.self, Credits.self, Resolve.self])
    }
}

extension ExportsCommand.StripeEvents {
    enum State: String, ExpressibleByArgument, CaseIterable {
        case planned, sent, uncertain, refused
        case tooOld = "too_old"
        case replaced
    }

    struct List: ClientCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "List the usage that Stripe was told, or is to be.",
            discussion: """
                EXAMPLES
                  tollgate exports stripe list --state uncertain --all
                  tollgate exports stripe list --customer acme

                \(CommandExit.help)
                """)

        @Option(help: "Only those in this state.") var state: State?
        @Option(help: "Only this one's.") var customer: String?
        @OptionGroup var page: PageOptions
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            var query: [(name: String, value: String)] = []
            if let state { query.append(("state", state.rawValue)) }
            if let customer { query.append(("customer", customer)) }
            let pages = page.reader(["v1", "exports", "stripe"], query)
            var table = TextTable([
                ("IDENTIFIER", .left), ("CUSTOMER", .left), ("METER", .left), ("WINDOW", .left),
                ("VALUE", .right), ("STATE", .left), ("ANSWER", .left),
            ])
            let next = try await pages.readItems(client, connection) { item in
                func text(_ name: String) -> String { item[name]?.text ?? "" }
                table.add([
                    text("identifier"), text("customer"), text("meter"),
                    item["window"]?["start"]?.text ?? "",
                    TextTable.grouped(item["value"]?.digits ?? ""), text("state"), text("answer"),
                ])
            }
            if connection.json { return }
            table.show(orSay: "no meter events", next: next)
        }
    }

    struct Credits: ClientCommand {
        static let configuration = CommandConfiguration(
            commandName: "credits",
            abstract: "List units that Stripe was told and that were taken back since.",
            discussion: CommandExit.help)

        @Option(help: "Only this one's.") var customer: String?
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            let pages = PageReader(
                path: ["v1", "exports", "stripe", "credits"],
                query: customer.map { [("customer", $0)] } ?? [], limit: 1_000, cursor: nil,
                readsAll: true)
            var table = TextTable([
                ("CUSTOMER", .left), ("METER", .left), ("MONTH FROM", .left), ("UNITS", .right),
            ])
            let next = try await pages.readItems(client, connection) { item in
                func text(_ name: String) -> String { item[name]?.text ?? "" }
                table.add([
                    text("customer"), text("meter"), text("month_start"),
                    TextTable.grouped(item["units"]?.digits ?? ""),
                ])
            }
            if connection.json { return }
            table.show(orSay: "no credits", next: next)
        }
    }

    struct Resolve: ClientCommand {
        enum Verdict: String, ExpressibleByArgument, CaseIterable { case sent, resend }

        static let configuration = CommandConfiguration(
            commandName: "resolve",
            abstract: "Settle an event that is uncertain, refused or too old.",
            discussion: """
                Look into Stripe first: an uncertain event is there or it is not. `sent` says that \
                Stripe has it, or that it was billed in another way; `resend` sends the same \
                amount again under a new identifier.

                EXAMPLE
                  tollgate exports stripe resolve IDENTIFIER --as sent --reason "is in Stripe"

                \(CommandExit.help)
                """)

        @Argument(help: "The event's identifier.") var identifier: String
        @Option(name: .customLong("as"), help: "sent or resend.") var verdict: Verdict
        @OptionGroup var command: CommandOptions
        @OptionGroup var connection: ConnectionOptions

        func validate() throws {
            if command.reason == nil { throw ValidationError("--reason says why; it is kept.") }
        }

        func perform(_ client: APIClient) async throws(ClientFailure) {
            var request = command.request(["v1", "exports", "stripe", identifier, "resolve"])
            request.body = .init(Document.object(["as": .string(verdict.rawValue)]).canonicalBytes)
            let data = try await client.answer(request)
            if connection.json { return Terminal.result(json: data) }
            let event = try client.document(data)
            Terminal.result(
                "\(event["identifier"]?.text ?? identifier): \(event["state"]?.text ?? "")")
        }
    }
}

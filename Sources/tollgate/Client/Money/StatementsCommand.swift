import ArgumentParser
import MeteringModel

struct StatementsCommand: ClientCommand {
    enum State: String, ExpressibleByArgument, CaseIterable { case open, grace, closed }

    static let configuration = CommandConfiguration(
        commandName: "statements",
        abstract: "List statements: of everybody, or of one customer.",
        discussion: """
            EXAMPLES
              tollgate statements --period 2026-10 --all
              tollgate statements --period 2026-11 --state open
              tollgate statements --customer acme

            \(CommandExit.help)
            """)

    @Option(help: ArgumentHelp("Only this month's, YYYY-MM.", valueName: "month"))
    var period: String?

    @Option(help: "closed when absent; others need --period.")
    var state: State?

    @Option(help: "Only this one's, open ones too.")
    var customer: String?

    @OptionGroup var page: PageOptions
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        if customer != nil, period != nil || state != nil {
            throw ValidationError("--customer lists all of one customer's; leave the others out.")
        }
    }

    func perform(_ client: APIClient) async throws(ClientFailure) {
        var query: [(name: String, value: String)] = []
        if let period { query.append(("month", period)) }
        if let state { query.append(("state", state.rawValue)) }
        let path = customer.map { ["v1", "customers", $0, "statements"] } ?? ["v1", "statements"]
        let pages = page.reader(path, query)
        var table = TextTable([
            ("CUSTOMER", .left), ("MONTH", .left), ("STATE", .left), ("LINES", .right),
            ("AMOUNT", .right), ("", .left), ("CLOSED", .left), ("BY", .left),
        ])
        let next = try await pages.readItems(client, connection) { Self.add($0, to: &table) }
        if connection.json { return }
        table.show(orSay: "no statements", next: next)
    }

    /// A row for each currency.
    private static func add(_ item: Document, to table: inout TextTable) {
        func text(_ name: String) -> String { item[name]?.text ?? "" }
        let totals = item["totals"]?.elements ?? []
        for total in totals.isEmpty ? [.null] : totals {
            table.add([
                text("customer"), text("month"), text("state"),
                item["line_count"]?.digits ?? "",
                TextTable.grouped(total["amount"]?.text ?? "0"), total["currency"]?.text ?? "",
                text("closed_at"), text("closed_by"),
            ])
        }
    }
}

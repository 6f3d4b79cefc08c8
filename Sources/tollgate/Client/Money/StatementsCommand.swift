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

    @Option(help: "Rows of a page (1 … 1000).")
    var limit = 100

    @Option(help: "Go on after the page whose answer named this cursor.")
    var cursor: String?

    @Flag(help: "Every page, not only the first.")
    var all = false

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
        let pages = PageReader(
            path: path, query: query, limit: limit, cursor: cursor, readsAll: all)
        var table = TextTable([
            ("CUSTOMER", .left), ("MONTH", .left), ("STATE", .left), ("LINES", .right),
            ("AMOUNT", .right), ("", .left), ("CLOSED", .left), ("BY", .left),
        ])
        let next = try await pages.read(client) { (data) throws(ClientFailure) in
            if connection.json { Terminal.result(json: data) }
            let page = try client.document(data)
            for item in page["items"]?.elements ?? [] { Self.add(item, to: &table) }
            return page["next"]?.text
        }
        if connection.json { return }
        if table.isEmpty { Terminal.message("no statements") } else { Terminal.result(table.text) }
        if let next { Terminal.message("more: --cursor \(next), or --all") }
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

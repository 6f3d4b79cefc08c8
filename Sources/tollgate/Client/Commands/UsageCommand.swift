import ArgumentParser
import Foundation

struct UsageCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "usage",
        abstract: "Show a customer's usage per hour, day or month; or everybody's totals.",
        discussion: """
            EXAMPLES
              tollgate usage acme --feature tokens --window day
              tollgate usage acme --feature meter:tokens --group-by model
              tollgate usage acme --feature tokens --filter model:m1 --filter model:m2
              tollgate usage                                  totals per customer and meter

            \(CommandExit.help)
            """)

    enum Window: String, ExpressibleByArgument, CaseIterable { case hour, day, month }

    @Argument(help: "The customer; without one, the totals of all.")
    var customer: String?

    @Option(help: "A feature, or meter:KEY; required with a customer.")
    var feature: String?

    @Option(help: "From this time on (RFC 3339).")
    var from: String?

    @Option(help: "Before this time (RFC 3339).")
    var to: String?

    @Option(help: "Width of a row.")
    var window = Window.day

    @Option(help: "Dimension to split by; may be repeated.")
    var groupBy: [String] = []

    @Option(
        help: "Only usage with this DIMENSION:VALUE; repeated, values of one are alternatives.")
    var filter: [String] = []

    @Option(help: "At most so many rows; all of them when absent.")
    var limit: Int?

    /// Rows that are asked for at once.
    private static let pageSize = 10_000

    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        if (customer == nil) != (feature == nil) {
            throw ValidationError("A customer needs --feature, and --feature needs a customer.")
        }
        if let limit, limit < 1 { throw ValidationError("--limit: at least 1 row.") }
    }

    func perform(_ client: APIClient) async throws(ClientFailure) {
        guard let customer, let feature else { return try await totals(client) }
        var query: [(name: String, value: String)] = [
            ("feature", feature), ("window", window.rawValue),
        ]
        if let from { query.append(("from", from)) }
        if let to { query.append(("to", to)) }
        if !groupBy.isEmpty { query.append(("group_by", groupBy.joined(separator: ","))) }
        for text in filter { query.append(("filter", text)) }
        let path = ["v1", "customers", customer, "usage"]
        var rows: [UsageAnswer.Window] = []
        var last: UsageAnswer?
        var cursor: String?
        repeat {
            let left = limit.map { $0 - rows.count } ?? Self.pageSize
            var page = query + [("limit", String(min(left, Self.pageSize)))]
            if let cursor { page.append(("cursor", cursor)) }
            let data = try await client.answer(APIRequest(.get, path, query: page))
            let answer = try client.decoded(UsageAnswer.self, from: data)
            if connection.json { Terminal.result(json: data) }
            rows += answer.windows
            last = answer
            // A server that names the same page again would keep us here for ever.
            cursor = answer.next == cursor ? nil : answer.next
        } while cursor != nil && rows.count < limit ?? .max
        if connection.json { return }
        show(rows, unit: last?.unit)
        if cursor != nil { Terminal.message("there are more rows than --limit") }
        if let to = last?.usageCompleteTo { Terminal.message("complete to \(to)") }
    }

    private func show(_ rows: [UsageAnswer.Window], unit: String?) {
        var table = TextTable(
            [("START", .left), ("END", .left)] + groupBy.map { ($0.uppercased(), .left) }
                + [("VALUE" + (unit.map { " (\($0))" } ?? ""), .right)])
        for row in rows {
            let group = groupBy.map { row.group?[$0] ?? "" }
            table.add([row.start, row.end] + group + [row.value.description])
        }
        if table.isEmpty { return Terminal.message("no usage in this time") }
        Terminal.result(table.text)
    }

    private func totals(_ client: APIClient) async throws(ClientFailure) {
        let data = try await client.answer(
            APIRequest(.get, ["v1", "totals"], timeoutSeconds: 300))
        if connection.json { return Terminal.result(json: data) }
        let answer = try client.decoded(TotalsAnswer.self, from: data)
        var table = TextTable([
            ("CUSTOMER", .left), ("METER", .left), ("EVENTS", .right), ("VALUE", .right),
        ])
        for total in answer.totals {
            table.add([
                total.customer, total.meter, total.count.description, total.value.description,
            ])
        }
        if table.isEmpty { return Terminal.message("no usage yet") }
        Terminal.result(table.text)
    }
}

import ArgumentParser
import Foundation
import MeteringModel

struct AdjustmentsCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "adjustments",
        abstract: "Show what past-dated changes and late events did to usage already scored.",
        discussion: """
            Newest first. LIMIT and OVERAGE are shown before and after; REQUEST is the change that
            did it, which `tollgate undo` takes back, or the event that was corrected, which
            `tollgate events restore` puts back.

            EXAMPLE
              tollgate adjustments acme

            \(CommandExit.help)
            """)

    @Argument(help: "The customer.")
    var customer: String

    @Option(help: "Rows of a page (1 … 1000).")
    var limit = 100

    @Option(help: "Go on after the page whose answer named this cursor.")
    var cursor: String?

    @Flag(help: "Every page, not only the first.")
    var all = false

    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: APIClient) async throws(ClientFailure) {
        let pages = PageReader(
            path: ["v1", "customers", customer, "adjustments"], query: [], limit: limit,
            cursor: cursor, readsAll: all)
        var table = TextTable([
            ("RECORDED", .left), ("CAUSE", .left), ("FEATURE", .left), ("METER", .left),
            ("PERIOD", .left), ("VALUE", .right), ("LIMIT", .right), ("OVERAGE", .right),
            ("REQUEST", .left),
        ])
        let next = try await pages.read(client) { (data) throws(ClientFailure) in
            if connection.json { Terminal.result(json: data) }
            let page = try client.document(data)
            for item in page["items"]?.elements ?? [] { table.add(Self.cells(item)) }
            return page["next"]?.text
        }
        if connection.json { return }
        if table.isEmpty { return Terminal.message("\(customer) has no adjustments") }
        Terminal.result(table.text)
        if let next { Terminal.message("more: --cursor \(next), or --all") }
    }

    private static func cells(_ item: Document) -> [String] {
        func text(_ name: String) -> String { item[name]?.text ?? "" }
        func change(_ name: String) -> String {
            let before = item[name + "_before"]?.text.map(TextTable.grouped)
            let after = item[name + "_after"]?.text.map(TextTable.grouped)
            return before == nil && after == nil ? "" : "\(before ?? "-") → \(after ?? "-")"
        }
        let period = item["period"]
        return [
            text("recorded_at"), text("cause"), text("feature"), text("meter"),
            "\(period?["start"]?.text ?? "") – \(period?["end"]?.text ?? "")",
            TextTable.grouped(text("value")), change("limit"), change("overage"),
            item["correction"]?["event_id"]?.text ?? text("request_id"),
        ]
    }
}

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

    @OptionGroup var page: PageOptions
    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: APIClient) async throws(ClientFailure) {
        let pages = page.reader(["v1", "customers", customer, "adjustments"])
        var table = TextTable([
            ("RECORDED", .left), ("CAUSE", .left), ("FEATURE", .left), ("METER", .left),
            ("PERIOD", .left), ("VALUE", .right), ("LIMIT", .right), ("OVERAGE", .right),
            ("REQUEST", .left),
        ])
        let next = try await pages.readItems(client, connection) { table.add(Self.cells($0)) }
        if connection.json { return }
        table.show(orSay: "\(customer) has no adjustments", next: next)
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

import ArgumentParser
import Foundation

struct EntitlementsCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "entitlements",
        abstract: "Show what a customer is entitled to now, and where each value comes from.",
        discussion: """
            EXAMPLE
              tollgate entitlements acme
              tollgate entitlements acme --at 2026-12-01

            \(CommandExit.help)
            """)

    @Argument(help: "The customer.")
    var customer: String

    @Option(
        help: ArgumentHelp(
            "As they are (were, will be) then: RFC 3339, or a date (midnight UTC).",
            valueName: "time"))
    var at: String?

    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: APIClient) async throws(ClientFailure) {
        let data = try await client.answer(
            APIRequest(
                .get, ["v1", "customers", customer, "entitlements"],
                query: at.map { [("at", InstantText.rfc3339($0))] } ?? []))
        if connection.json { return Terminal.result(json: data) }
        let answer = try client.decoded(EntitlementsAnswer.self, from: data)
        var table = TextTable([
            ("FEATURE", .left), ("TYPE", .left), ("VALUE", .right), ("USED", .right),
            ("REMAINING", .right), ("ENFORCEMENT", .left), ("STATE", .left), ("RESETS", .left),
            ("SOURCE", .left),
        ])
        for entitlement in answer.entitlements {
            let limit = entitlement.unlimited == true ? "unlimited" : entitlement.limit?.description
            table.add([
                entitlement.feature, entitlement.type ?? "",
                Self.isSwitch(entitlement) ?? limit ?? entitlement.value ?? "",
                Self.isCounted(entitlement.type) ? entitlement.used?.description ?? "" : "",
                Self.isCounted(entitlement.type) ? entitlement.remaining?.description ?? "" : "",
                entitlement.enforcement ?? "", entitlement.reason ?? "",
                entitlement.resetsAt ?? "", entitlement.limitSource ?? "",
            ])
        }
        if table.isEmpty { return Terminal.message("\(customer) has no entitlements") }
        Terminal.result(table.text)
    }

    /// Nil unless the feature is one that is on or off.
    private static func isSwitch(_ entitlement: EntitlementsAnswer.Entitlement) -> String? {
        guard entitlement.type == "boolean" else { return nil }
        return entitlement.allowed.map { $0 ? "yes" : "no" }
    }

    private static func isCounted(_ type: String?) -> Bool { type == "metered" || type == "seat" }
}

import ArgumentParser
import Foundation

struct EntitlementsCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "entitlements",
        abstract: "Show what a customer is entitled to now, and where each value comes from.",
        discussion: """
            EXAMPLE
              tollgate entitlements acme

            \(CommandExit.help)
            """)

    @Argument(help: "The customer.")
    var customer: String

    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: APIClient) async throws(ClientFailure) {
        let data = try await client.answer(
            APIRequest(.get, ["v1", "customers", customer, "entitlements"]))
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
                entitlement.feature, entitlement.type ?? "", limit ?? entitlement.value ?? "",
                entitlement.type == "metered" ? entitlement.used?.description ?? "" : "",
                entitlement.type == "metered" ? entitlement.remaining?.description ?? "" : "",
                entitlement.enforcement ?? "", entitlement.reason ?? "",
                entitlement.resetsAt ?? "", entitlement.limitSource ?? "",
            ])
        }
        if table.isEmpty { return Terminal.message("\(customer) has no entitlements") }
        Terminal.result(table.text)
    }
}

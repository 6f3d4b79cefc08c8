import ArgumentParser
import Foundation

struct ExportCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Print the catalog as a document that `apply` takes.",
        discussion: """
            Applying it again changes nothing. Customers that no document manages are left out
            unless --all is given.

            EXAMPLE
              tollgate export > catalog.yaml

            \(CommandExit.help)
            """)

    @Flag(help: "Customers that were made over the API, too.") var all = false
    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: APIClient) async throws(ClientFailure) {
        let data = try await client.answer(
            APIRequest(
                .get, ["v1", "catalog"], query: all ? [("all", "true")] : [],
                timeoutSeconds: 300))
        Terminal.result(json: data)
    }
}

import ArgumentParser
import Foundation

struct ExportCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Print the catalog as a document that `apply` takes.",
        discussion: """
            Definitions and document customers as they are now. Overrides, grants, seat holders,
            suspensions, future changes and earlier plan versions are not in it: for a backup copy
            the data directory. Customers that no document manages are left out unless --all is
            given; applying such an export puts them under the catalog's management, so that a
            later --prune may remove them.

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

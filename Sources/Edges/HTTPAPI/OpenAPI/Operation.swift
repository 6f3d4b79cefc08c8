/// How the OpenAPI document describes a route.
struct Operation: Sendable {
    struct Parameter: Sendable {
        enum Place: String, Sendable { case query, header, path }
        var name: String
        var place = Place.query
        var type = "string"
        var text: String
        var isRequired = false
        /// Allowed values, where they are few.
        var values: [String] = []
    }

    /// Unique; camelCase.
    var id: String
    var summary: String
    /// Of query and header; the path's are read from the pattern.
    var parameters: [Parameter] = []
    /// Media type and schema name of bodies that are taken.
    var request: [(type: String, schema: String)] = []
    var isRequestRequired = true
    /// Status and schema of the answer when all is well.
    var success: (status: Int, schema: String) = (200, "Decision")
    /// 201 comes as well, with the same schema, when it was not there before.
    var mayCreate = false
    var successType = "application/json"
    /// Statuses that come with a problem document.
    var problems: [Int] = [400]
}

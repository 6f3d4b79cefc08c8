/// One usage event in CloudEvents 1.0 structured form.
struct CloudEvent: Sendable {
    var id: String
    var source: String
    var type: String
    var subject: String
    /// RFC 3339.
    var time: String
    /// An object.
    var data: JSONValue

    var json: JSONValue {
        .object([
            "specversion": "1.0", "id": .string(id), "source": .string(source),
            "type": .string(type), "subject": .string(subject), "time": .string(time),
            "datacontenttype": "application/json", "data": data,
        ])
    }
}

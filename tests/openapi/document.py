# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/openapi.yaml, and what it says of an exchange.

The document leaves objects open, since an answer may say more one day. Here they are
closed: what natd says today must stand there today.
"""
import copy
import json
import pathlib
import re
import urllib.parse

import fastjsonschema
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATH = ROOT / "docs/openapi.yaml"


class Wrong(Exception):
    """The exchange is not as the document has it."""


def close_objects(schema):
    """In place: an object with properties has no others."""
    if isinstance(schema, list):
        for part in schema:
            close_objects(part)
    elif isinstance(schema, dict):
        if schema.get("type") == "object" and "properties" in schema:
            schema.setdefault("additionalProperties", False)
        for part in schema.values():
            close_objects(part)


def no_constant(text):
    raise ValueError(f"{text} is no JSON")


class Document:
    """The document as loaded, and validators made when they are needed."""

    def __init__(self, path=PATH):
        self.tree = yaml.safe_load(path.read_text())
        self.strict = copy.deepcopy(self.tree)
        close_objects(self.strict["components"])
        close_objects(self.strict["paths"])
        self.validators = {}
        self.templates = [(self.pattern_of(path), path) for path in self.strict["paths"]]

    @staticmethod
    def pattern_of(path):
        return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)))

    def resolved(self, node):
        while "$ref" in node:
            found = self.strict
            for key in node["$ref"].removeprefix("#/").split("/"):
                found = found[key]
            node = found
        return node

    def operation(self, method, target):
        """(path, operation) or (None, None); HEAD is GET without the body."""
        path = urllib.parse.unquote(target.partition("?")[0])
        method = "get" if method == "HEAD" else method.lower()
        for pattern, template in self.templates:
            if pattern.fullmatch(path):
                operation = self.strict["paths"][template].get(method)
                return (template, operation) if operation else (None, None)
        return None, None

    def validator(self, schema):
        key = json.dumps(schema, sort_keys=True)
        if key not in self.validators:
            whole = {"$schema": "http://json-schema.org/draft-07/schema#",
                     "components": self.strict["components"], "allOf": [schema]}
            self.validators[key] = fastjsonschema.compile(whole)
        return self.validators[key]

    def check_content(self, content, media_type, body):
        """content: of a response or request body; media_type without parameters."""
        if media_type not in content:
            raise Wrong(f"{media_type or 'no content type'} is not one of {list(content)}")
        validate = self.validator(content[media_type]["schema"])
        texts = [body]
        if content[media_type].get("x-each-line"):
            if body and not body.endswith(b"\n"):
                raise Wrong("the last line has no end")
            texts = body.splitlines()
        for text in texts:
            try:
                validate(json.loads(text, parse_constant=no_constant))
            except (ValueError, fastjsonschema.JsonSchemaException) as why:
                raise Wrong(f"{why}: {text[:300]!r}") from why

    def check_response(self, responses, response, has_body):
        """responses: the document's, by status. Returns the code of a problem, or None."""
        status = response.start[0].decode()
        if status not in responses:
            raise Wrong(f"status {status} is not one of {list(responses)}")
        told = self.resolved(responses[status])
        for name, header in told.get("headers", {}).items():
            if header.get("required") and not response.field(name.lower()):
                raise Wrong(f"{name} is missing")
        media_type = response.field("content-type").partition(";")[0]
        if media_type not in told["content"]:
            raise Wrong(f"{media_type or 'no content type'} is not one of "
                        f"{list(told['content'])}")
        content = told["content"][media_type]
        if not response.whole and content.get("x-each-line"):
            # a stream that was hung up on: the lines that are whole
            lines = response.body[:response.body.rfind(b"\n") + 1]
            self.check_content(told["content"], media_type, lines)
        if not has_body:
            return None
        self.check_content(told["content"], media_type, response.body)
        if media_type == "application/problem+json":
            return json.loads(response.body)["code"]
        return None

    def check_accepted(self, operation, request):
        """What natd took must be what the document says that it takes."""
        content = operation.get("requestBody", {}).get("content", {})
        media_type = request.field("content-type").partition(";")[0]
        if media_type != "application/x-ndjson":
            media_type = "application/json"
        if not request.body and content and not operation["requestBody"].get("required"):
            return
        if not content:
            if request.body:
                raise Wrong("a body was taken where the document has none")
            return
        body = request.body
        if media_type == "application/x-ndjson":
            body = b"".join(line + b"\n" for line in body.splitlines() if line.strip())
        try:
            self.check_content(content, media_type, body)
        except Wrong as why:
            raise Wrong(f"natd took what the document does not: {why}") from why

"""Parser of report pages for tests."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """Ids, links, images and text of a page, parsed without a browser."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.images, self.text = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "a":
            self.links.append(found["href"])
        if tag == "img":
            self.images.append(found)

    def handle_data(self, data):
        self.text += data

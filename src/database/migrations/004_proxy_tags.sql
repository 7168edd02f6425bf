-- Migration: 004_proxy_tags
-- Description: Add the tags of proxies, by which a pool is kept equal to a list

-- Up
CREATE TABLE proxy_tags (
  proxy_id TEXT NOT NULL,
  tag TEXT NOT NULL,
  -- The import that last found the proxy under this tag.
  import_id TEXT NOT NULL,
  PRIMARY KEY (proxy_id, tag),
  FOREIGN KEY (proxy_id) REFERENCES proxies(id) ON DELETE CASCADE
);
CREATE INDEX idx_proxy_tags_tag ON proxy_tags(tag, proxy_id);

-- Down
DROP TABLE proxy_tags;

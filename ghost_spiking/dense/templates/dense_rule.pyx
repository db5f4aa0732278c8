{# ALLOWS_SCALAR_WRITE #}
{# With replicas, and without a clamped source: numpy's BLAS makes products, and what becomes of them and
   of the matrices is one loop. #}
{% extends 'common_group.pyx' %}
{% import 'macros.pyx' as _macros %}
{% macro _array(name) %}_namespace['{{get_array_name(variables[name])}}']{% endmacro %}
{% macro _rows(name, width) %}{{_array(name)}}.reshape(-1, {{width}})[:_n_rows]{% endmacro %}
{% block maincode %}
    cdef int _n_rows = {{constant_or_scalar('_rows', variables['_rows'])}}
    if _n_rows < 1:
        raise ValueError("{{owner.name}}: the batch has no rows; its ClampedInput has to be in the network")
{{_macros.scalars(scalar_code, vector_code)}}
{{_macros.evaluate('pre', sizes.pre, scalar_code, vector_code)}}
{{_macros.evaluate('post', sizes.post, scalar_code, vector_code)}}
    {% for p in products %}
    _outer = {{_array(p.buffer)}}.reshape({{n_pre}}, {{n_post}})
    {% if p.left and p.right %}
    _numpy.dot({{_rows(p.left, n_pre)}}.T, {{_rows(p.right, n_post)}} * ({{p.scale}} / _n_rows), out=_outer)
    {% elif p.left %}
    _outer[:] = {{p.scale}} * {{_rows(p.left, n_pre)}}.mean(axis=0)[:, None]
    {% else %}
    _outer[:] = {{p.scale}} * {{_rows(p.right, n_post)}}.mean(axis=0)[None, :]
    {% endif %}
    {% endfor %}
{{_macros.evaluate('integrate', sizes.integrate, scalar_code, vector_code)}}
{% endblock %}
